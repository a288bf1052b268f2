import { defineConfig } from 'vite';

export default defineConfig({
  root: 'playground',
  base: '/playground/',
  build: {
    outDir: '../dist/playground',
    emptyOutDir: true,
    target: ['chrome123', 'firefox128', 'safari17.5'],
    // A data: URL would need a wider Content-Security-Policy.
    assetsInlineLimit: 0,
    // Monaco is one chunk of 2.8 MB, fetched once.
    chunkSizeWarningLimit: 4096,
    rolldownOptions: {
      // "use client" means nothing here, and its hundred warnings would hide a real one.
      onwarn: (warning, warn) => warning.code === 'MODULE_LEVEL_DIRECTIVE' || warn(warning),
    },
    license: { fileName: 'licenses.md' },
  },
});
