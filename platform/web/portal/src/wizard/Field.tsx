/** One question, with the input that fits it. */
import { Autocomplete, NumberInput, Select, TagsInput, TextInput, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { DraftLabel, Question } from '../../../shared/models';
import { Labels } from './Labels';

interface Properties {
  question: Question;
  value: unknown;
  scored: boolean;
  onChange: (value: unknown) => void;
}

export function Field({ question, value, scored, onChange }: Properties) {
  const { t, i18n } = useTranslation();
  const common = {
    label: question.text,
    description: question.why,
    withAsterisk: question.required,
  };
  if (question.kind === 'labels') {
    return (
      <Labels
        title={question.text}
        help={question.why}
        labels={(value as DraftLabel[] | null) ?? []}
        scored={scored}
        onChange={onChange}
      />
    );
  }
  if (question.kind === 'choice') {
    const known = question.choices.filter((choice) => choice !== 'custom' || value === 'custom');
    return (
      <Select
        {...common}
        value={value === null || value === undefined || value === '' ? null : String(value)}
        data={known.map((choice) => ({
          value: choice,
          label: t(`engine.wizard.choice.${question.id}.${choice}`, { defaultValue: choice }),
        }))}
        onChange={(chosen) =>
          onChange(question.id === 'dimensions' && chosen ? Number(chosen) : chosen)
        }
      />
    );
  }
  if (question.kind === 'list') {
    return (
      <TagsInput
        {...common}
        value={(value as string[] | null) ?? []}
        data={question.choices}
        onChange={onChange}
      />
    );
  }
  if (question.kind === 'number') {
    return (
      <NumberInput
        {...common}
        decimalSeparator={i18n.language === 'vi' ? ',' : '.'}
        value={typeof value === 'number' ? value : ''}
        onChange={(given) => onChange(typeof given === 'number' ? given : null)}
      />
    );
  }
  if (question.kind === 'numbers') return <Numbers {...common} value={value} onChange={onChange} />;
  const text = typeof value === 'string' ? value : '';
  if (question.kind === 'long') {
    return (
      <Textarea
        {...common}
        autosize
        minRows={2}
        maxRows={12}
        value={text}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    );
  }
  if (question.choices.length > 0) {
    return <Autocomplete {...common} value={text} data={question.choices} onChange={onChange} />;
  }
  return (
    <TextInput {...common} value={text} onChange={(event) => onChange(event.currentTarget.value)} />
  );
}

interface NumbersProperties {
  label: string;
  description: string;
  withAsterisk: boolean;
  value: unknown;
  onChange: (value: unknown) => void;
}

/** `1.5 1.5 3`: numbers with blanks between them, kept as typed until they are numbers. */
function Numbers({ value, onChange, ...common }: NumbersProperties) {
  const { t } = useTranslation();
  const [text, setText] = useState(Array.isArray(value) ? value.join(' ') : '');
  const parts = text.trim() ? text.trim().split(/[\s;×]+/) : [];
  const numbers = parts.map((part) => Number(part.replace(',', '.')));
  const wrong = numbers.some((number) => !Number.isFinite(number));
  return (
    <TextInput
      {...common}
      placeholder="1.5 1.5 1.5"
      value={text}
      error={wrong && t('engine.wizard.no_number')}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={() => !wrong && onChange(numbers)}
    />
  );
}
