import { Alert, Button, Group } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';

interface Properties {
  error: Error;
  onRetry: () => void;
}

export function Failure({ error, onRetry }: Properties) {
  const { t } = useTranslation();
  return (
    <Alert color="red" icon={<IconAlertTriangle />} title={t('portal.failed')} my="md" role="alert">
      <Group justify="space-between">
        {error.message}
        <Button variant="light" color="red" size="xs" onClick={onRetry}>
          {t('portal.again')}
        </Button>
      </Group>
    </Alert>
  );
}
