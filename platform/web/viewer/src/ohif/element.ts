/**
 * A panel of ours inside OHIF's React 18.
 *
 * OHIF's React is not importable, so the panel is a hand-made React 18 element (no hooks) whose ref
 * mounts our own React into the node.
 */

export type Unmount = () => void;

export function panelComponent(mount: (node: HTMLElement) => Unmount): () => unknown {
  let unmount: Unmount | null = null;
  const ref = (node: HTMLElement | null) => {
    unmount?.();
    unmount = node ? mount(node) : null;
  };
  return () => ({
    $$typeof: Symbol.for('react.element'),
    type: 'div',
    key: 'ennead-findings',
    ref,
    props: { className: 'ennead-panel' },
    _owner: null,
  });
}
