import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globals: true,
    environment: 'node',
    dir: '../../tests/platform/web',
    include: ['**/*.test.ts'],
  },
  server: { fs: { strict: false } },
});
