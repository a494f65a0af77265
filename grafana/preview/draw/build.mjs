// Bundles draw.jsx for a browser: `npm run build` writes dist/draw.js and dist/draw.css.

import { build } from 'esbuild';

await build({
  entryPoints: ['draw.jsx'],
  bundle: true,
  format: 'esm',
  outfile: 'dist/draw.js',
  jsx: 'automatic',
  mainFields: ['module', 'browser', 'main'],
  minify: true,
  logLevel: 'warning',
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  loader: { '.svg': 'dataurl', '.png': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl' },
  // A CommonJS package whose default export Grafana's module files would otherwise not find.
  alias: { 'react-custom-scrollbars-2': './scrollbars.js' },
});
