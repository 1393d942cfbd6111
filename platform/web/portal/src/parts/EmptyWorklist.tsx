/** What to do when there is nothing to read. */
import { Button, Center, Code, Stack, Text, Title } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import { useNode } from '../node';

export function EmptyWorklist({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  const { t } = useTranslation();
  const dicom = useNode()?.dicom;
  if (filtered) {
    return (
      <Center p="xl">
        <Stack align="center" gap="xs">
          <Title order={2} size="h4">
            {t('portal.empty.filtered')}
          </Title>
          <Button variant="light" onClick={onClear}>
            {t('portal.worklist.clear')}
          </Button>
        </Stack>
      </Center>
    );
  }
  return (
    <Center p="xl">
      <Stack gap="xs" maw={560}>
        <Title order={2} size="h4">
          {t('portal.empty.title')}
        </Title>
        {dicom && (
          <>
            <Text>{t('portal.empty.send')}</Text>
            <Code block>
              {`storescu -aec ${dicom.ae_title} +sd +r ${window.location.hostname} ${dicom.port} DICOM/`}
            </Code>
          </>
        )}
        <Text>{t('portal.empty.import')}</Text>
        <Code block>ennead import DICOM/</Code>
        <Text size="sm" c="dimmed">
          {t('portal.empty.live')}
        </Text>
      </Stack>
    </Center>
  );
}
