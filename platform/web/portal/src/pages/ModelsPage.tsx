/** Every model found or installed, where each version stands, and what is wrong with broken ones. */
import { Button, Code, Group, SimpleGrid, Skeleton, Text, Title } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import { api } from '../../../shared/api';
import type { ModelItem } from '../../../shared/models';
import type { Session } from '../../../shared/types';
import { ModelCard } from '../models/ModelCard';
import { Failure } from '../parts/Failure';

export default function ModelsPage({ session }: { session: Session }) {
  const { t } = useTranslation();
  const answer = useQuery({
    queryKey: ['models'],
    queryFn: () => api.get<{ models: ModelItem[] }>('/models'),
  });
  const mayManage = session.permissions.includes('model:manage');
  const none = answer.data?.models.length === 0;
  return (
    <>
      <Group justify="space-between" mb="md">
        <div>
          <Title order={1} size="h3">
            {t('engine.nav.models')}
          </Title>
          <Text size="sm" c="dimmed">
            {t('portal.research_only')}
          </Text>
        </div>
        {mayManage && <Add />}
      </Group>
      {answer.isError && <Failure error={answer.error} onRetry={() => void answer.refetch()} />}
      {none && (
        <div className="en-card en-section en-empty">
          <Text fw={600}>{t('engine.models.none')}</Text>
          <Text size="sm" mt={4} mb="sm">
            {t(mayManage ? 'engine.models.none_how' : 'engine.models.none_ask')}
          </Text>
          {mayManage && (
            <>
              <Add />
              <Text size="sm" mt="sm">
                {t('engine.models.none_cli')}
              </Text>
              <Code block>ennead models add model.onnx{'\n'}ennead models install model</Code>
            </>
          )}
        </div>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        {answer.isPending && <Skeleton h={220} />}
        {answer.data?.models.map((item) => (
          <ModelCard key={item.id} item={item} mayManage={mayManage} />
        ))}
      </SimpleGrid>
    </>
  );
}

function Add() {
  const { t } = useTranslation();
  return (
    <Button component={Link} to="/models/new" leftSection={<IconPlus size={16} />}>
      {t('engine.models.add')}
    </Button>
  );
}
