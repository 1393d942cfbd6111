/** A list of rules as it is edited. */
import type { Rule } from '../../../shared/engine';

export function newRule(name: string): Rule {
  return {
    name,
    enabled: true,
    note: '',
    condition: {},
    action: { run: true, priority: 'routine' },
  };
}

export function replaced(rules: Rule[], index: number, rule: Rule): Rule[] {
  return rules.map((each, n) => (n === index ? rule : each));
}

export function without(rules: Rule[], index: number): Rule[] {
  return rules.filter((_, n) => n !== index);
}

/** The list with one rule moved up (-1) or down (1); unchanged at its ends. */
export function moved(rules: Rule[], index: number, by: number): Rule[] {
  const target = index + by;
  const rule = rules[index];
  if (!rule || target < 0 || target >= rules.length) return rules;
  const rest = without(rules, index);
  return [...rest.slice(0, target), rule, ...rest.slice(target)];
}

/** What is sent: `text` is the server's. */
export function sendable(rules: Rule[]): Omit<Rule, 'text'>[] {
  return rules.map(({ text: _, ...rule }) => rule);
}
