/** Stored studies under the rules: what would run, be refused, be left out, and what changes. */
import { Alert, Badge, Button, Group, NumberInput, Switch, Text } from '@mantine/core';
import { IconFlask } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import { api } from '../../../shared/api';
import type { Outcome, Rule, RuleTest, TestedPackage } from '../../../shared/engine';
import { date, decimal } from '../../../shared/format';
import { Section } from '../parts/Section';
import { sendable } from './rules';

const COLOUR: Record<Outcome, string> = { run: 'green', refused: 'gray', skipped: 'orange' };

export function RuleTester({ proposed }: { proposed: Rule[] | null }) {
  const { t, i18n } = useTranslation();
  const [last, setLast] = useState(50);
  const [onlyDifferent, setOnlyDifferent] = useState(false);
  const test = useMutation({
    mutationFn: () =>
      api.post<RuleTest>('/rules/test', {
        last,
        ...(proposed ? { rules: sendable(proposed) } : {}),
      }),
  });
  const found = test.data;
  const studies = (found?.studies ?? []).filter(
    (s) => !onlyDifferent || s.packages.some((p) => p.changes.length > 0),
  );
  return (
    <Section title={t('engine.tester.title')}>
      <Text size="sm" c="dimmed" mb="sm">
        {t(proposed ? 'engine.tester.proposed' : 'engine.tester.current')}
      </Text>
      <Group align="flex-end" mb="sm">
        <NumberInput
          w={150}
          label={t('engine.tester.last')}
          min={1}
          max={500}
          value={last}
          onChange={(value) => setLast(typeof value === 'number' ? value : 50)}
        />
        <Button
          leftSection={<IconFlask size={16} />}
          loading={test.isPending}
          onClick={() => test.mutate()}
        >
          {t('engine.tester.start')}
        </Button>
        {found && (
          <Switch
            checked={onlyDifferent}
            label={t('engine.tester.only_different')}
            onChange={(event) => setOnlyDifferent(event.currentTarget.checked)}
          />
        )}
      </Group>
      {test.isError && (
        <Alert color="red" role="alert">
          {test.error.message}
        </Alert>
      )}
      {found && (
        <Text size="sm" mb="sm" aria-live="polite">
          {t('engine.tester.summary', {
            ...found.summary,
            seconds: decimal(found.elapsed_s.toFixed(2), i18n.language),
          })}
        </Text>
      )}
      {studies.map((study) => (
        <div key={study.study_uid} className="en-output">
          <Group gap={8}>
            <Text
              component={Link}
              to={`/studies/${study.study_uid}`}
              size="sm"
              fw={600}
              className="en-link"
            >
              {study.description || t('portal.no_description')}
            </Text>
            <Text size="xs" c="dimmed">
              {[date(study.study_date), study.modalities.join(', '), study.sources.join(', ')]
                .filter(Boolean)
                .join(' · ')}
            </Text>
          </Group>
          {study.packages.map((each) => (
            <Tested key={each.package} each={each} />
          ))}
        </div>
      ))}
      {found && studies.length === 0 && (
        <Text size="sm" c="dimmed">
          {t(onlyDifferent ? 'engine.tester.same' : 'engine.tester.no_studies')}
        </Text>
      )}
    </Section>
  );
}

function Tested({ each }: { each: TestedPackage }) {
  const { t } = useTranslation();
  const series = each.series.filter((s) => s.state === 'chosen');
  return (
    <div className="en-tested">
      <Group gap={6}>
        <Text size="sm">{each.title}</Text>
        <Badge size="sm" variant="light" color={COLOUR[each.outcome]}>
          {t(`rules.test.${each.outcome}`)}
        </Badge>
        {each.rule && (
          <Badge size="sm" variant="outline" color="gray">
            {each.rule.position}. {each.rule.name}
          </Badge>
        )}
        {series.map((s) => (
          <Text key={s.input} size="xs" c="dimmed">
            {[s.number, s.description].filter((v) => v !== null && v !== '').join(' ')}
          </Text>
        ))}
      </Group>
      {each.reason && <Text size="xs">{each.reason}</Text>}
      {each.changes.map((change) => (
        <Text key={change.what} size="xs" c="teal">
          {change.text}
        </Text>
      ))}
    </div>
  );
}
