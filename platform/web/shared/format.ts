/** How DICOM values are shown to people. */

/** `Đặng^Thị^Ánh` → `Đặng Thị Ánh`; the ideographic group is left out. */
export function personName(value: string): string {
  const [alphabetic = ''] = value.split('=');
  return alphabetic.split('^').filter(Boolean).join(' ').trim();
}

/** DA `20261123` or `2026-11-23` → `23/11/2026`. */
export function date(value: string): string {
  const found = /^(\d{4})-?(\d{2})-?(\d{2})/.exec(value);
  return found ? `${found[3]}/${found[2]}/${found[1]}` : '';
}

/** TM `081500` → `08:15`. */
export function time(value: string): string {
  const found = /^(\d{2}):?(\d{2})/.exec(value);
  return found ? `${found[1]}:${found[2]}` : '';
}

/** ISO instant → local `23/11 08:15:04`. */
export function instant(value: string): string {
  const then = new Date(value);
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${two(then.getDate())}/${two(then.getMonth() + 1)}`;
  return `${day} ${[then.getHours(), then.getMinutes(), then.getSeconds()].map(two).join(':')}`;
}

/** Full years between a birth date and another day; null when either is unknown. */
export function age(birth: string, on: string): number | null {
  const b = /^(\d{4})-?(\d{2})-?(\d{2})/.exec(birth);
  const d = /^(\d{4})-?(\d{2})-?(\d{2})/.exec(on);
  if (!b || !d) return null;
  const years = Number(d[1]) - Number(b[1]);
  const before = `${d[2]}${d[3]}` < `${b[2]}${b[3]}`;
  return before ? years - 1 : years;
}

/** UCUM code → how it is printed; annotations in braces are no units. */
export function unit(code: string): string {
  const known: Record<string, string> = {
    cm3: 'cm³',
    mm3: 'mm³',
    cm2: 'cm²',
    mm2: 'mm²',
    "[hnsf'U]": 'HU',
    '1': '',
  };
  return known[code] ?? code.replace(/\{[^}]*\}/g, '');
}

/** A number in the reader's notation, digits as the server chose them. */
export function decimal(shown: string, language: string): string {
  return language === 'vi' ? shown.replace('.', ',') : shown;
}

/** Another value of the same measurement, with as many digits as the server shows. */
export function decimalLike(value: number, shown: string, language: string): string {
  const digits = /[.,](\d+)$/.exec(shown)?.[1]?.length ?? 0;
  return decimal(value.toFixed(digits), language);
}

/** Seconds → `17,6 s`, `2 min 05 s`. */
export function duration(seconds: number, language: string): string {
  if (seconds < 60) {
    const digits = seconds < 10 ? 1 : 0;
    return `${decimal(seconds.toFixed(digits), language)} s`;
  }
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}
