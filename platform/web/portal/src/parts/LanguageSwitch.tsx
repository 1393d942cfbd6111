import { SegmentedControl } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

import { speak } from '../../../shared/language';
import type { Language } from '../../../shared/language';

export function LanguageSwitch() {
  const { i18n, t } = useTranslation();
  const client = useQueryClient();
  return (
    <SegmentedControl
      size="xs"
      aria-label={t('portal.language')}
      value={i18n.language}
      data={[
        { value: 'vi', label: 'VI' },
        { value: 'en', label: 'EN' },
      ]}
      onChange={(chosen) => {
        void speak(chosen as Language).then(() => client.invalidateQueries());
      }}
    />
  );
}
