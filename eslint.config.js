import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  // build/slim/*.cjs: CommonJS of packages without types for it, some lines each. agent/kernel: another
  // language in the same syntax, which its own compiler checks.
  { ignores: ['dist/', 'coverage/', '.cache/', 'build/slim/*.cjs', 'agent/kernel/'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      'no-empty': ['error', { allowEmptyCatch: false }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // Numbers in messages are the rule here: offsets, sizes, counts.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `using _slot = …` is used by its end.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreUsingDeclarations: true }],
      // Loops over bytes need `while (true)` with a break inside.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
    },
  },
  // Hot loops read typed arrays whose bounds the loop itself guarantees; `!` states that.
  {
    files: [
      'agent/pack/**',
      'agent/checkout/**',
      'agent/repository/directory-reading.ts',
      'agent/repository/index-table.ts',
      'agent/repository/listing.ts',
      'agent/repository/tracked*.ts',
      'test/**',
    ],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    files: ['agent/**'],
    ignores: ['agent/main.ts', 'agent/start-main.ts', 'agent/job-worker.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only main.ts reads the environment.' },
        { object: 'process', property: 'exit', message: 'Only main.ts ends the process.' },
        { object: 'process', property: 'on', message: 'Only main.ts listens to signals.' },
      ],
    },
  },
);
