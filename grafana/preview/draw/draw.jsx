// Draws one dashboard from `window.PAGE`: its JSON, the answers to its queries, and the time range.
//
// Field options, transformations, units, colours and the stat, bar gauge, table and time series panels are
// Grafana's own. Only the state timeline, which @grafana/ui does not have, is drawn here.

import {
  applyFieldOverrides,
  createTheme,
  dateTime,
  displayNameOverrideProcessor,
  FieldType,
  getDisplayProcessor,
  getFieldDisplayName,
  getFieldDisplayValues,
  standardTransformers,
  standardTransformersRegistry,
  toDataFrame,
  transformDataFrame,
  FieldConfigOptionsRegistry,
} from '@grafana/data';
import {
  BarGauge,
  BigValue,
  GlobalStyles,
  PortalContainer,
  Table,
  ThemeContext,
} from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { TimeSeries } from './node_modules/@grafana/ui/dist/esm/graveyard/TimeSeries/TimeSeries.mjs';

const { dashboard, answers, range, variables, title } = window.PAGE;
const theme = createTheme({ colors: { mode: 'dark' } });
const timeRange = { from: dateTime(range.from), to: dateTime(range.to), raw: { from: 'now-48h', to: 'now' } };
const WIDTH = 1480;
const GAP = 8;
const ROW = 30;

standardTransformersRegistry.setInit(() =>
  [standardTransformers.mergeTransformer, standardTransformers.organizeFieldsTransformer].map((transformation) => ({
    id: transformation.id,
    name: transformation.name,
    editor: () => null,
    transformation,
  }))
);
// The options of fields. Grafana's own registry of these is part of its application, not of its packages.
const standard = ['unit', 'min', 'max', 'decimals', 'displayName', 'color', 'thresholds', 'mappings', 'links'];
const custom = [
  'drawStyle', 'lineInterpolation', 'lineWidth', 'lineStyle', 'fillOpacity', 'showPoints', 'spanNulls',
  'stacking', 'axisSoftMin', 'width', 'hidden', 'cellOptions',
];
const option = (path, isCustom) => ({
  id: isCustom ? `custom.${path}` : path,
  path,
  isCustom,
  name: path,
  editor: () => null,
  override: () => null,
  process: path === 'displayName' ? displayNameOverrideProcessor : (value) => value,
  settings: {},
  shouldApply: () => true,
});
const registry = new FieldConfigOptionsRegistry(
  () => [...standard.map((path) => option(path, false)), ...custom.map((path) => option(path, true))],
  'panels',
  'custom'
);

const fill = (text) =>
  (text ?? '').replace(/\$(\w+)|\$\{(\w+)(?::(\w+))?\}/g, (all, plain, braced) => variables[plain ?? braced] ?? all);

function frames(panel) {
  const raw = answers[panel.id].map((frame) => toDataFrame(frame));
  const transformations = panel.transformations ?? [];
  return new Promise((resolve) => {
    transformDataFrame(transformations, raw).subscribe((data) =>
      resolve(
        applyFieldOverrides({
          data,
          fieldConfig: panel.fieldConfig,
          fieldConfigRegistry: registry,
          replaceVariables: fill,
          theme,
          timeZone: 'utc',
        })
      )
    );
  });
}

function displays(panel, data, sparkline) {
  return getFieldDisplayValues({
    data,
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: fill,
    theme,
    timeZone: 'utc',
    sparkline,
  });
}

function Stat({ panel, data, width, height }) {
  const [shown] = displays(panel, data, panel.options.graphMode === 'area');
  const sparkline = shown.sparkline && { ...shown.sparkline, timeRange };
  return (
    <BigValue
      value={shown.display}
      sparkline={sparkline}
      width={width}
      height={height}
      theme={theme}
      colorMode={panel.options.colorMode}
      graphMode={panel.options.graphMode}
      justifyMode={panel.options.justifyMode}
      textMode={panel.options.textMode}
    />
  );
}

function Bars({ panel, data, width, height }) {
  const shown = displays(panel, data, false);
  const each = Math.min(Math.floor((height - GAP * (shown.length - 1)) / shown.length), panel.options.maxVizHeight);
  const longest = shown.map(({ display }) => display.title).sort((a, b) => b.length - a.length)[0];
  return shown.map(({ display, field }, place) => (
    <div key={place} style={{ marginBottom: GAP }}>
      <BarGauge
        value={display}
        field={field}
        display={(value) => getDisplayProcessor({ field: { config: field, type: FieldType.number }, theme })(value)}
        orientation={panel.options.orientation}
        displayMode={panel.options.displayMode}
        valueDisplayMode={panel.options.valueMode}
        namePlacement={panel.options.namePlacement}
        text={panel.options.text}
        showUnfilled={panel.options.showUnfilled}
        width={width}
        height={each}
        theme={theme}
        alignmentFactors={{ title: longest, text: '100.0 K' }}
        itemSpacing={GAP}
        lcdCellWidth={12}
      />
    </div>
  ));
}

function Curves({ panel, data, width, height }) {
  return (
    <TimeSeries
      frames={data}
      structureRev={1}
      timeRange={timeRange}
      timeZone="utc"
      width={width}
      height={height}
      legend={panel.options.legend}
      options={{ ...panel.options }}
    >
      {() => null}
    </TimeSeries>
  );
}

function Rows({ panel, data, width, height }) {
  return (
    <Table
      data={data[0]}
      width={width}
      height={height}
      cellHeight={panel.options.cellHeight}
      initialSortBy={panel.options.sortBy}
      timeRange={timeRange}
    />
  );
}

function States({ data, width }) {
  const labels = 190;
  const across = (time) => ((time - range.from) / (range.to - range.from)) * (width - labels);
  return data.map((frame, place) => {
    const values = frame.fields[1];
    const changes = values.values.map((value, at) => at).filter((at) => values.values[at] !== values.values[at - 1]);
    const times = changes.map((at) => frame.fields[0].values[at]);
    return (
      <div key={place} style={{ display: 'flex', height: 34, alignItems: 'center', fontSize: 12 }}>
        <div style={{ width: labels }}>{getFieldDisplayName(values, frame, data)}</div>
        <div style={{ position: 'relative', height: 26, width: width - labels }}>
          {times.map((time, at) => (
            <div
              key={at}
              style={{
                position: 'absolute',
                left: across(time),
                width: across(times[at + 1] ?? range.to) - across(time),
                height: 26,
                background: values.display(values.values[changes[at]]).color,
                opacity: 0.8,
              }}
            />
          ))}
        </div>
      </div>
    );
  });
}

const KINDS = { stat: Stat, bargauge: Bars, timeseries: Curves, table: Rows, statetimeline: States };
KINDS['state-timeline'] = States;

function Box({ panel, data }) {
  const { x, y, w, h } = panel.gridPos;
  const column = (WIDTH + GAP) / 24;
  const [width, height] = [w * column - GAP, h * (ROW + GAP) - GAP];
  const place = { position: 'absolute', left: x * column, top: y * (ROW + GAP), width, height };
  if (panel.type === 'row') {
    return <div style={{ ...place, padding: '6px 4px', fontWeight: 500 }}>⌄ {fill(panel.title)}</div>;
  }
  const Kind = KINDS[panel.type];
  const empty = data.every((frame) => frame.length === 0) || data.length === 0;
  const border = `1px solid ${theme.colors.border.weak}`;
  return (
    <div style={{ ...place, background: theme.colors.background.primary, border, borderRadius: 2, overflow: 'hidden' }}>
      <div style={{ height: 32, padding: '6px 10px', fontWeight: 500, fontSize: 14, whiteSpace: 'nowrap' }}>
        {fill(panel.title)}
      </div>
      <div style={{ padding: '0 8px 8px 8px', height: height - 34, position: 'relative' }}>
        {empty ? (
          <div style={{ textAlign: 'center', paddingTop: (height - 34) / 2 - 20, color: theme.colors.text.secondary }}>
            {panel.fieldConfig.defaults.noValue ?? 'No data'}
          </div>
        ) : (
          <Kind panel={panel} data={data} width={width - 18} height={height - 44} />
        )}
      </div>
    </div>
  );
}

function Page({ drawn }) {
  const bottom = Math.max(...drawn.map(({ panel }) => panel.gridPos.y + panel.gridPos.h));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ width: WIDTH, padding: 16, background: theme.colors.background.canvas }}>
        <div style={{ display: 'flex', gap: 12, alignItems: 'center', paddingBottom: 14, fontSize: 13 }}>
          <span style={{ fontSize: 18, fontWeight: 500, marginRight: 12 }}>{title}</span>
          {window.PAGE.choices.map(([label, text]) => (
            <span key={label} style={{ border: `1px solid ${theme.colors.border.medium}`, borderRadius: 2 }}>
              <span style={{ padding: '5px 8px', background: theme.colors.background.secondary }}>{label}</span>
              <span style={{ padding: '5px 8px' }}>{text}</span>
            </span>
          ))}
        </div>
        <div style={{ position: 'relative', height: bottom * (ROW + GAP) }}>
          {drawn.map(({ panel, data }) => (
            <Box key={panel.id} panel={panel} data={data} />
          ))}
        </div>
      </div>
      <PortalContainer />
    </ThemeContext.Provider>
  );
}

const drawn = await Promise.all(
  dashboard.panels.map(async (panel) => ({ panel, data: panel.type === 'row' ? [] : await frames(panel) }))
);
createRoot(document.getElementById('root')).render(<Page drawn={drawn} />);
setTimeout(() => document.body.setAttribute('data-drawn', 'yes'), 3000);
