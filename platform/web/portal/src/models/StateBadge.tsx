import { Badge } from '@mantine/core';
import { useTranslation } from 'react-i18next';

const COLOUR: Record<string, string> = {
  registered: 'gray',
  validated: 'blue',
  shadow: 'grape',
  pilot: 'orange',
  active: 'green',
  retired: 'gray',
};

export function StateBadge({ state }: { state: string }) {
  const { t } = useTranslation();
  return (
    <Badge variant="light" color={COLOUR[state] ?? 'gray'}>
      {t(`engine.state.${state}`)}
    </Badge>
  );
}
