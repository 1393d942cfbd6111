/** Small plots as SVG: no library, readable in both colour schemes, said in words as well. */
import { Text } from '@mantine/core';
import type { ReactNode } from 'react';

const W = 320;
const H = 190;
const LEFT = 44;
const BOTTOM = 30;
const TOP = 8;
const RIGHT = 8;

interface Axis {
  low: number;
  high: number;
  title: string;
}

export function niceAxis(values: number[], title: string): Axis {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return { low: low - room, high: high + room, title };
}

export function tick(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

interface FrameProperties {
  x: Axis;
  y: Axis;
  label: string;
  caption?: string;
  children: (at: { x: (v: number) => number; y: (v: number) => number }) => ReactNode;
}

/** Axes with three ticks each, and what is drawn between them. */
export function PlotFrame({ x, y, label, caption, children }: FrameProperties) {
  const at = {
    x: (v: number) => LEFT + ((v - x.low) / (x.high - x.low)) * (W - LEFT - RIGHT),
    y: (v: number) => H - BOTTOM - ((v - y.low) / (y.high - y.low)) * (H - BOTTOM - TOP),
  };
  const thirds = [0, 0.5, 1];
  return (
    <figure className="en-figure en-plot">
      <svg viewBox={`0 0 ${W} ${H}`} role="img" aria-label={label}>
        <path className="en-axis" d={`M${LEFT} ${TOP}V${H - BOTTOM}H${W - RIGHT}`} />
        {thirds.map((part) => {
          const vx = x.low + part * (x.high - x.low);
          const vy = y.low + part * (y.high - y.low);
          return (
            <g key={part}>
              <text
                className="en-tick"
                x={at.x(vx)}
                y={H - BOTTOM + 12}
                textAnchor={part === 1 ? 'end' : part === 0 ? 'start' : 'middle'}
              >
                {tick(vx)}
              </text>
              <text className="en-tick" x={LEFT - 4} y={at.y(vy) + 3} textAnchor="end">
                {tick(vy)}
              </text>
            </g>
          );
        })}
        <text className="en-tick" x={(LEFT + W) / 2} y={H - 4} textAnchor="middle">
          {x.title}
        </text>
        <text
          className="en-tick"
          transform={`translate(9 ${(H - BOTTOM) / 2}) rotate(-90)`}
          textAnchor="middle"
        >
          {y.title}
        </text>
        {children(at)}
      </svg>
      {caption && (
        <Text component="figcaption" size="xs" c="dimmed">
          {caption}
        </Text>
      )}
    </figure>
  );
}

interface BlandAltmanProperties {
  /** Mean of both, difference. */
  points: [number, number][];
  bias: number;
  low: number;
  high: number;
  xTitle: string;
  yTitle: string;
  label: string;
  caption: string;
}

/** Bland and Altman: differences over means, with bias and limits of agreement. */
export function BlandAltman(p: BlandAltmanProperties) {
  const x = niceAxis(
    p.points.map(([mean]) => mean),
    p.xTitle,
  );
  const y = niceAxis([...p.points.map(([, d]) => d), p.low, p.high, 0], p.yTitle);
  return (
    <PlotFrame x={x} y={y} label={p.label} caption={p.caption}>
      {(at) => (
        <>
          <line className="en-zero" x1={LEFT} x2={W - RIGHT} y1={at.y(0)} y2={at.y(0)} />
          {[p.low, p.high].map((limit) => (
            <line
              key={limit}
              className="en-limit"
              x1={LEFT}
              x2={W - RIGHT}
              y1={at.y(limit)}
              y2={at.y(limit)}
            />
          ))}
          <line className="en-bias" x1={LEFT} x2={W - RIGHT} y1={at.y(p.bias)} y2={at.y(p.bias)} />
          {p.points.map(([mean, difference], n) => (
            <circle key={n} className="en-point" cx={at.x(mean)} cy={at.y(difference)} r={2.6} />
          ))}
        </>
      )}
    </PlotFrame>
  );
}

interface CurveProperties {
  points: [number, number][];
  xTitle: string;
  yTitle: string;
  label: string;
  caption: string;
  marks?: boolean;
}

/** A curve in the unit square with its diagonal: ROC, calibration. */
export function UnitCurve({ points, xTitle, yTitle, label, caption, marks }: CurveProperties) {
  const x = { low: 0, high: 1, title: xTitle };
  const y = { low: 0, high: 1, title: yTitle };
  return (
    <PlotFrame x={x} y={y} label={label} caption={caption}>
      {(at) => (
        <>
          <line className="en-zero" x1={at.x(0)} y1={at.y(0)} x2={at.x(1)} y2={at.y(1)} />
          <polyline
            className="en-curve"
            points={points.map(([a, b]) => `${at.x(a)},${at.y(b)}`).join(' ')}
          />
          {marks &&
            points.map(([a, b], n) => (
              <circle key={n} className="en-point" cx={at.x(a)} cy={at.y(b)} r={2.6} />
            ))}
        </>
      )}
    </PlotFrame>
  );
}

interface PairsProperties {
  bins: { label: string; reference: number; recent: number }[];
  label: string;
  caption: string;
}

/** Two distributions side by side: light is the reference, dark is recent. */
export function PairedBars({ bins, label, caption }: PairsProperties) {
  const most = Math.max(0.01, ...bins.flatMap((b) => [b.reference, b.recent]));
  const step = W / Math.max(1, bins.length);
  const bar = Math.min(22, step / 2 - 2);
  const height = (share: number) => (share / most) * 90;
  return (
    <figure className="en-figure en-plot">
      <svg viewBox={`0 0 ${W} 116`} role="img" aria-label={label}>
        {bins.map((bin, n) => {
          const middle = (n + 0.5) * step;
          const percent = (v: number) => `${(100 * v).toFixed(0)} %`;
          return (
            <g key={bin.label}>
              <title>{`${bin.label}: ${percent(bin.reference)} → ${percent(bin.recent)}`}</title>
              <rect
                className="en-bar-light"
                x={middle - bar - 1}
                width={bar}
                y={96 - height(bin.reference)}
                height={height(bin.reference)}
              />
              <rect
                className="en-bar"
                x={middle + 1}
                width={bar}
                y={96 - height(bin.recent)}
                height={height(bin.recent)}
              />
              <text className="en-tick" x={middle} y={110} textAnchor="middle">
                {bin.label.length > 14 ? `${bin.label.slice(0, 13)}…` : bin.label}
              </text>
            </g>
          );
        })}
      </svg>
      <Text component="figcaption" size="xs" c="dimmed">
        {caption}
      </Text>
    </figure>
  );
}
