/** What a person should know before switching a package on. */
import { List, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import type { PackageNotes } from '../../../shared/types';

export function Notes({ notes, isolation }: { notes: PackageNotes; isolation: string }) {
  const { t } = useTranslation();
  return (
    <>
      <Lines title={t('engine.package.may')} texts={notes.may} />
      <Lines title={t('engine.package.may_not')} texts={notes.may_not} />
      <Text size="sm" fw={600} mt={6}>
        {t('engine.package.needs')}
      </Text>
      {notes.dependencies.length === 0 && (
        <Text size="sm" c="dimmed">
          {t('engine.package.needs_nothing')}
        </Text>
      )}
      <List size="sm">
        {notes.dependencies.map((each) => (
          <List.Item key={each.id} c={each.present ? '' : 'red'}>
            {each.text}
          </List.Item>
        ))}
      </List>
      <Text size="sm" mt={6}>
        <b>{t('engine.package.licence')}</b>: {notes.licence}
      </Text>
      {isolation && (
        <Text size="sm" mt={6} c="dimmed">
          {isolation}
        </Text>
      )}
    </>
  );
}

function Lines({ title, texts }: { title: string; texts: string[] }) {
  if (texts.length === 0) return null;
  return (
    <>
      <Text size="sm" fw={600} mt={6}>
        {title}
      </Text>
      <List size="sm">
        {texts.map((text) => (
          <List.Item key={text}>{text}</List.Item>
        ))}
      </List>
    </>
  );
}
