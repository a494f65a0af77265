// Writes the ids of all units that Grafana knows to units.json, from getValueFormats() of @grafana/data.

import { writeFileSync } from 'node:fs';
import { build } from 'esbuild';

await build({
  stdin: { contents: "export { getValueFormats } from '@grafana/data';", resolveDir: import.meta.dirname },
  bundle: true,
  outfile: 'dist/units.cjs',
  format: 'cjs',
  platform: 'node',
  mainFields: ['module', 'main'],
  logLevel: 'warning',
});
// A browser has this; Node 20 has not.
globalThis.navigator ??= { language: 'en', languages: ['en'] };
const { getValueFormats } = (await import('./dist/units.cjs')).default;

const ids = getValueFormats().flatMap(({ submenu }) => submenu.map(({ value }) => value));
writeFileSync(new URL('units.json', import.meta.url), JSON.stringify(ids.sort(), null, 1) + '\n');
