/** What the file says of the network: what it takes and what it gives. */
import { List, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import type { Draft, TensorShape } from '../../../shared/models';
import { Section } from '../parts/Section';

export function Contract({ draft }: { draft: Draft }) {
  const { t } = useTranslation();
  return (
    <Section title={t('engine.wizard.read')}>
      <Text size="sm" mb="xs">
        <b>{draft.name}</b> · {draft.runner}
      </Text>
      <div className="en-contract">
        <Tensors title={t('engine.wizard.takes')} tensors={draft.inputs} />
        <span aria-hidden="true">→</span>
        <Tensors title={t('engine.wizard.gives')} tensors={draft.outputs} />
      </div>
      <List size="xs" mt="xs" className="en-lines">
        {draft.facts.map((fact) => (
          <List.Item key={fact}>{fact}</List.Item>
        ))}
      </List>
    </Section>
  );
}

function Tensors({ title, tensors }: { title: string; tensors: TensorShape[] }) {
  const { t } = useTranslation();
  return (
    <div>
      <Text size="xs" c="dimmed">
        {title}
      </Text>
      {tensors.length === 0 && <Text size="sm">{t('engine.wizard.not_said')}</Text>}
      {tensors.map((tensor) => (
        <div key={tensor.name}>
          <Text size="sm">
            {tensor.name} <small>{tensor.dtype}</small>
          </Text>
          <div className="en-shape">
            {tensor.shape.map((length, n) => (
              <span key={n}>
                <small>{axis(n, tensor.shape.length)}</small>
                {typeof length === 'number' ? length : t('engine.wizard.any_length')}
              </span>
            ))}
          </div>
        </div>
      ))}
    </div>
  );
}

/** Batch, channel, then the spatial axes, as every network here has them. */
function axis(position: number, count: number): string {
  if (position === 0) return 'N';
  if (position === 1) return 'C';
  return 'DHW'.slice(-(count - 2))[position - 2] ?? '';
}
