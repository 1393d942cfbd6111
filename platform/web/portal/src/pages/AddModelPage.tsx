/** A model without code: send the file, answer what it could not say, accept, install. */
import { Skeleton, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link, useSearchParams } from 'react-router';

import { api } from '../../../shared/api';
import type { Draft } from '../../../shared/models';
import { Failure } from '../parts/Failure';
import { Contract } from '../wizard/Contract';
import { Questions } from '../wizard/Questions';
import { Upload } from '../wizard/Upload';

export default function AddModelPage() {
  const { t } = useTranslation();
  const [parameters, setParameters] = useSearchParams();
  const id = parameters.get('draft') ?? '';
  const answer = useQuery({
    queryKey: ['draft', id],
    queryFn: () => api.get<Draft>(`/models/drafts/${id}`),
    enabled: id !== '',
    retry: false,
    refetchOnWindowFocus: false,
  });
  return (
    <>
      <Title order={1} size="h3">
        {t('engine.models.add')}
      </Title>
      <Text size="sm" mb="md">
        <Link to="/models" className="en-link">
          {t('engine.nav.models')}
        </Link>
      </Text>
      {id === '' && <Upload onDraft={(draft) => setParameters({ draft })} />}
      {id !== '' && answer.isPending && <Skeleton h={300} />}
      {answer.isError && (
        <>
          <Failure error={answer.error} onRetry={() => void answer.refetch()} />
          <Link to="/models/new" className="en-link">
            {t('engine.wizard.again')}
          </Link>
        </>
      )}
      {answer.data && (
        <div className="en-stack">
          <Contract draft={answer.data} />
          <Questions key={id} draft={answer.data} />
        </div>
      )}
    </>
  );
}
