import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** One module with the exports that app-config.js imports, and one style sheet. */
export default defineConfig({
  root: 'viewer',
  plugins: [react()],
  publicDir: false,
  build: {
    outDir: '../dist/ennead',
    emptyOutDir: true,
    modulePreload: false,
    reportCompressedSize: false,
    rolldownOptions: {
      input: 'viewer/src/index.ts',
      preserveEntrySignatures: 'strict',
      output: { entryFileNames: 'viewer.js', assetFileNames: 'viewer.[ext]' },
    },
  },
});
