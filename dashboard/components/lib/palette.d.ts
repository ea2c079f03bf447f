// palette.js is written by dashboard/figures/palette.py when a component is loaded: the colours of every page.

interface Paper {
  lines: Record<string, string>;
  diverging: string[];
}
export const PALETTE: { light: Paper; dark: Paper; grey: string[]; hidden: string[] };
