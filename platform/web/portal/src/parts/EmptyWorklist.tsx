/** What to do when there is nothing to read. */
import { Button, Center, Code, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

interface DICOMAddress {
  ae_title: string;
  port: number;
}

export function EmptyWorklist({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  const { t } = useTranslation();
  const address = useQuery({
    queryKey: ['readyz'],
    queryFn: async () => {
      const answer = await fetch('/readyz');
      const body = (await answer.json()) as { dicom?: DICOMAddress };
      return body.dicom ?? { ae_title: 'ENNEAD', port: 11112 };
    },
    enabled: !filtered,
  }).data;
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
  const { ae_title, port } = address ?? { ae_title: 'ENNEAD', port: 11112 };
  return (
    <Center p="xl">
      <Stack gap="xs" maw={560}>
        <Title order={2} size="h4">
          {t('portal.empty.title')}
        </Title>
        <Text>{t('portal.empty.send')}</Text>
        <Code block>{`storescu -v -aec ${ae_title} +sd +r ${window.location.hostname} ${port} DICOM/`}</Code>
        <Text>{t('portal.empty.import')}</Text>
        <Code block>ennead import DICOM/</Code>
        <Text size="sm" c="dimmed">
          {t('portal.empty.live')}
        </Text>
      </Stack>
    </Center>
  );
}
