import { defineConfig } from 'vitest/config';

const jsonReport = process.env['VITEST_JSON_REPORT'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/build-once.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // On a starved machine a test may miss its deadline once; the report shows each one tried again.
    retry: Number(process.env['TEST_RETRY'] ?? 0),
    ...(jsonReport === undefined
      ? {}
      : { reporters: ['default', 'json'], outputFile: { json: jsonReport } }),
  },
});
