import { Group, SimpleGrid, Skeleton, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import type { PackageItem, Session } from '../../../shared/types';
import { Failure } from '../parts/Failure';
import { PackageCard } from '../parts/PackageCard';

export default function PackagesPage({ session }: { session: Session }) {
  const { t } = useTranslation();
  const answer = useQuery({
    queryKey: ['packages'],
    queryFn: () => api.get<{ packages: PackageItem[] }>('/packages'),
  });
  const mayManage = session.permissions.includes('package:manage');
  return (
    <>
      <Group justify="space-between" mb="md" align="baseline">
        <Title order={1} size="h3">
          {t('portal.packages.title')}
        </Title>
        <Text size="sm" c="dimmed">
          {t('portal.research_only')}
        </Text>
      </Group>
      {answer.isError && <Failure error={answer.error} onRetry={() => void answer.refetch()} />}
      {answer.data?.packages.length === 0 && <Text>{t('portal.packages.none')}</Text>}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
        {answer.isPending && <Skeleton h={260} />}
        {answer.data?.packages.map((item) => (
          <PackageCard key={item.id} item={item} mayManage={mayManage} />
        ))}
      </SimpleGrid>
    </>
  );
}
