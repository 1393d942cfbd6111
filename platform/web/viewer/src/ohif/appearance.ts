/** What OHIF shows of itself: our name with a way back, no tours, no foreign address. */

type CreateElement = (
  type: string,
  properties: Record<string, unknown> | null,
  ...children: unknown[]
) => unknown;

interface Words {
  back: string;
  unverified: string;
}

export function appearance(words: Words): Record<string, unknown> {
  return {
    whiteLabeling: {
      createLogoComponentFn: (react: { createElement: CreateElement }) =>
        react.createElement(
          'a',
          { href: '/studies', className: 'ennead-home', title: words.back },
          react.createElement('span', { className: 'ennead-back', 'aria-hidden': true }, '‹'),
          react.createElement('span', null, words.back),
        ),
    },
    investigationalUseDialog: { option: 'never' },
    customizationService: [{ 'ohif.tours': { $set: [] } }],
  };
}

/** A line above everything: AI results are nobody's word until a reader has decided. */
export function banner(words: Words): void {
  const line = document.createElement('div');
  line.className = 'ennead-banner';
  line.setAttribute('role', 'status');
  line.textContent = words.unverified;
  document.body.append(line);
}
