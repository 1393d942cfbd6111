import { Badge, createTheme } from '@mantine/core';

/** Calm and clinical: one teal, quiet greys, tabular figures. */
export const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: { light: 8, dark: 6 },
  colors: {
    teal: [
      '#e6f6f9',
      '#cdeaf0',
      '#9dd5e0',
      '#6cc0d0',
      '#48afc2',
      '#2f9fb4',
      '#1d8ea4',
      '#0f7d93',
      '#0b7285',
      '#075564',
    ],
    dark: [
      '#d6dee3',
      '#aab8c1',
      '#8698a3',
      '#5b6d79',
      '#33424d',
      '#26333d',
      '#1a242c',
      '#121a21',
      '#0d1419',
      '#080d11',
    ],
  },
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  headings: { fontFamily: "'Inter Variable', system-ui, sans-serif", fontWeight: '650' },
  defaultRadius: 'md',
  components: {
    Badge: Badge.extend({ defaultProps: { radius: 'sm', tt: 'none', fw: 600 } }),
  },
});
