/** The site's thresholds of a package, inside the bounds that its maker allows. */
import { Alert, Button, Group, NumberInput, Skeleton, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import { decimal, instant } from '../../../shared/format';
import type { Threshold } from '../../../shared/types';

interface Answer {
  thresholds: Threshold[];
}

export function Thresholds({ package: id, mayManage }: { package: string; mayManage: boolean }) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const [changed, setChanged] = useState<Record<string, number | null>>({});
  const answer = useQuery({
    queryKey: ['thresholds', id],
    queryFn: () => api.get<Answer>(`/packages/${id}/thresholds`),
  });
  const save = useMutation({
    mutationFn: () => api.put<Answer>(`/packages/${id}/thresholds`, { values: changed }),
    onSuccess: (data) => {
      setChanged({});
      client.setQueryData(['thresholds', id], data);
    },
  });
  if (answer.isError) return <Alert color="red">{answer.error.message}</Alert>;
  if (!answer.data) return <Skeleton h={40} />;
  const { thresholds } = answer.data;
  const number = (value: number) => decimal(String(value), i18n.language);
  if (thresholds.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t('engine.threshold.none')}
      </Text>
    );
  }
  return (
    <>
      {thresholds.map((each) => (
        <div key={each.id} className="en-output">
          <NumberInput
            label={each.title}
            description={t('engine.threshold.bounds', {
              low: number(each.bounds[0]),
              high: number(each.bounds[1]),
              default: number(each.default),
            })}
            size="sm"
            disabled={!mayManage}
            decimalSeparator={i18n.language === 'vi' ? ',' : '.'}
            min={each.bounds[0]}
            max={each.bounds[1]}
            step={(each.bounds[1] - each.bounds[0]) / 20}
            decimalScale={3}
            clampBehavior="none"
            error={each.inside ? false : t('engine.threshold.outside')}
            placeholder={number(each.default)}
            value={changed[each.id] === undefined ? each.value : (changed[each.id] ?? '')}
            onChange={(value) =>
              setChanged((before) => ({
                ...before,
                [each.id]: typeof value === 'number' ? value : null,
              }))
            }
          />
          {each.changed_at && (
            <Text size="xs" c="dimmed">
              {each.changed_by} · {instant(each.changed_at)}
            </Text>
          )}
        </div>
      ))}
      {save.isError && (
        <Alert color="red" mt="xs" role="alert">
          {save.error.message}
        </Alert>
      )}
      {mayManage && (
        <Group justify="space-between" mt="xs">
          <Text size="xs" c="dimmed">
            {t('engine.threshold.from_now')}
          </Text>
          <Button
            size="xs"
            disabled={Object.keys(changed).length === 0}
            loading={save.isPending}
            onClick={() => save.mutate()}
          >
            {t('engine.threshold.save')}
          </Button>
        </Group>
      )}
    </>
  );
}
