import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: 'portal',
  plugins: [react()],
  build: {
    outDir: '../dist/portal',
    emptyOutDir: true,
    assetsDir: 'portal',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'],
    reportCompressedSize: false,
    chunkSizeWarningLimit: 800,
  },
});
