/** `npm run image`: builds the images, then tries them. One after the other, each with its own time. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/image/*.case.ts'],
    globalSetup: ['test/image/tools.ts'],
    testTimeout: 900_000,
    hookTimeout: 900_000,
    fileParallelism: false,
    reporters: ['verbose'],
  },
});
