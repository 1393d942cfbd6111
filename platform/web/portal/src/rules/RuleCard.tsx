/** One rule as a sentence; opened, as a form. */
import { ActionIcon, Badge, Group, Switch, Text, UnstyledButton } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconTrash } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';

import type { Rule, RuleOptions } from '../../../shared/engine';
import { RuleForm } from './RuleForm';

interface Properties {
  rule: Rule;
  number: number;
  open: boolean;
  isLast: boolean;
  options: RuleOptions | undefined;
  mayManage: boolean;
  onOpen: () => void;
  onChange: (rule: Rule) => void;
  onMove: (by: number) => void;
  onRemove: () => void;
}

export function RuleCard(properties: Properties) {
  const { rule, number, open, options, mayManage, isLast } = properties;
  const { t } = useTranslation();
  return (
    <article className="en-card en-section" aria-label={rule.name}>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <UnstyledButton className="en-grow" onClick={properties.onOpen} aria-expanded={open}>
          <Group gap={8}>
            <Badge variant="light" color="gray">
              {number}
            </Badge>
            <Text fw={600} {...(rule.enabled ? {} : { c: 'dimmed' })}>
              {rule.name}
            </Text>
            {rule.action.run === false && (
              <Badge size="xs" color="orange" variant="light">
                {t('engine.rules.not_run')}
              </Badge>
            )}
          </Group>
          <Text size="sm" c="dimmed">
            {rule.text ?? t('engine.rules.unsaved')}
          </Text>
          {rule.note && <Text size="xs">{rule.note}</Text>}
        </UnstyledButton>
        {mayManage && (
          <Group gap={2} wrap="nowrap">
            <ActionIcon
              variant="subtle"
              color="gray"
              disabled={number === 1}
              aria-label={t('engine.rules.up')}
              onClick={() => properties.onMove(-1)}
            >
              <IconArrowUp size={16} />
            </ActionIcon>
            <ActionIcon
              variant="subtle"
              color="gray"
              disabled={isLast}
              aria-label={t('engine.rules.down')}
              onClick={() => properties.onMove(1)}
            >
              <IconArrowDown size={16} />
            </ActionIcon>
            <ActionIcon
              variant="subtle"
              color="red"
              aria-label={t('engine.rules.remove')}
              onClick={properties.onRemove}
            >
              <IconTrash size={16} />
            </ActionIcon>
            <Switch
              ml={6}
              checked={rule.enabled}
              aria-label={t('engine.rules.enabled')}
              onChange={(event) =>
                properties.onChange({
                  ...rule,
                  text: undefined,
                  enabled: event.currentTarget.checked,
                })
              }
            />
          </Group>
        )}
      </Group>
      {open && mayManage && (
        <RuleForm
          rule={rule}
          options={options}
          onChange={(changed) => properties.onChange({ ...changed, text: undefined })}
        />
      )}
    </article>
  );
}
