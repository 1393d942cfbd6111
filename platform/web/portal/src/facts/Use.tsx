/** Intended use, inputs and outputs. */
import { List, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import type { Facts } from '../../../shared/facts';
import { unit } from '../../../shared/format';

export function Use({ facts }: { facts: Facts }) {
  const { t } = useTranslation();
  const use = facts.intended_use;
  return (
    <>
      <Text size="sm" mb={6}>
        {use.text}
      </Text>
      {use.inputs.map((input) => (
        <div key={input.name}>
          <Text size="sm" fw={600}>
            {input.modality.join(', ')} {input.body_part.slice(0, 4).join(', ')}
            {input.optional && ` (${t('portal.packages.optional')})`}
          </Text>
          <List size="sm">
            {input.rules.map((rule) => (
              <List.Item key={rule}>{rule}</List.Item>
            ))}
          </List>
        </div>
      ))}
      <Text size="sm" fw={600} mt={6}>
        {t('portal.packages.outputs')}
      </Text>
      <Text size="sm">
        {use.outputs
          .map((o) => (unit(o.unit) ? `${o.title} (${unit(o.unit)})` : o.title))
          .join(', ')}
      </Text>
      {use.models.length > 0 && (
        <Text size="sm" mt={6}>
          {t('engine.nav.models')}: {use.models.join(', ')}
        </Text>
      )}
    </>
  );
}
