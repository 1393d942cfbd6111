/** Keys of the findings panel; they win over the viewer's own while a study has findings. */
import { useEffect, useRef } from 'react';

export type KeyActions = Partial<Record<string, () => void>>;

interface Layer {
  rank: number;
  actions: KeyActions;
}

/** Whose keys there are; what is in front of the reader comes first, whenever it was drawn. */
const layers = new Set<Layer>();

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
  );
}

/** What a key does: the action of the foremost layer that has one. */
export function actionOf(among: Iterable<Layer>, key: string): (() => void) | undefined {
  const ranked = [...among].sort((a, b) => b.rank - a.rank);
  return ranked.map((layer) => layer.actions[key]).find((action) => action !== undefined);
}

function listen(event: KeyboardEvent): void {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (isTyping(event.target) && key !== 'Escape') return;
  const action = actionOf(layers, key);
  if (!action) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  action();
}

export function useReviewKeys(actions: KeyActions, rank = 0): void {
  const layer = useRef<Layer>({ rank, actions });
  layer.current.actions = actions;
  useEffect(() => {
    const mine = layer.current;
    layers.add(mine);
    if (layers.size === 1) document.addEventListener('keydown', listen, { capture: true });
    return () => {
      layers.delete(mine);
      if (layers.size === 0) document.removeEventListener('keydown', listen, { capture: true });
    };
  }, []);
}
