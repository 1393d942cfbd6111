/** Jobs that ended in each of the last 24 hours, as bars. */
import { Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import type { Hour } from '../../../shared/engine';

const WIDTH = 480;
const HEIGHT = 90;

export function Hours({ hours }: { hours: Hour[] }) {
  const { t } = useTranslation();
  const totals = hours.map((h) => h.done + h.refused + h.failed + h.cancelled);
  const most = Math.max(1, ...totals);
  const step = WIDTH / Math.max(1, hours.length);
  const height = (n: number) => (n / most) * (HEIGHT - 18);
  return (
    <figure className="en-figure">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={t('engine.queue.hours')}>
        {hours.map((hour, n) => {
          const bad = hour.failed + hour.cancelled;
          const x = n * step + 1;
          const good = height(hour.done + hour.refused);
          return (
            <g key={hour.from}>
              <title>{`${local(hour.from)}: ${totals[n]}`}</title>
              <rect
                className="en-bar"
                x={x}
                width={step - 2}
                y={HEIGHT - 14 - good}
                height={good}
              />
              <rect
                className="en-bar-bad"
                x={x}
                width={step - 2}
                y={HEIGHT - 14 - good - height(bad)}
                height={height(bad)}
              />
              {n % 6 === 0 && (
                <text className="en-tick" x={x} y={HEIGHT - 2}>
                  {local(hour.from)}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      <Text component="figcaption" size="xs" c="dimmed">
        {t('engine.queue.hours')} · {t('engine.queue.most', { most })}
      </Text>
    </figure>
  );
}

function local(instant: string): string {
  return `${String(new Date(instant).getHours()).padStart(2, '0')}:00`;
}
