/** What happened to a model: installed, moved, rolled back, by whom and why. */
import { Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import type { Facts } from '../../../shared/facts';
import { instant } from '../../../shared/format';

type Event = NonNullable<Facts['maintenance']['history']>[number];

export function History({ history }: { history: Event[] }) {
  const { t } = useTranslation();
  if (history.length === 0) return null;
  return (
    <div className="en-history">
      {history.map((event, n) => (
        <div key={n} className="en-step" data-state="ok">
          <Text size="sm">
            {event.version}{' '}
            {event.to && event.from
              ? `${t(`engine.state.${event.from}`)} → ${t(`engine.state.${event.to}`)}`
              : t(`engine.facts.action.${event.action}`, { defaultValue: event.action })}
          </Text>
          <Text size="xs" c="dimmed">
            {[instant(event.at), event.by, event.reason].filter(Boolean).join(' · ')}
          </Text>
        </div>
      ))}
    </div>
  );
}
