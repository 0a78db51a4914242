/**
 * The language of the app's words, and the only place that makes Intl objects. Numbers and dates
 * follow the words: English digits and month names, as the reader's own kind of English writes them.
 */

const WORDS = "en";

/** Browsers send more than language tags: `C`, `en-US@posix`, an empty list. */
function isTag(tag: unknown): tag is string {
  try {
    return typeof tag === "string" && Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

/** The first of the reader's languages that is the language of the words, such as `en-GB`. */
export function chooseLocale(languages: readonly unknown[] | undefined): string {
  const own = (languages ?? []).filter(isTag).map((tag) => new Intl.Locale(tag));
  // Only language and region: an extension such as `-u-nu-arab` would bring other digits.
  const found = own.find(({ language }) => language === WORDS);
  return found?.region ? `${WORDS}-${found.region}` : WORDS;
}

const locale = chooseLocale(typeof navigator === "undefined" ? [] : navigator.languages);

/** What `make` returns for the reader's locale, or for plain English where the browser lacks it. */
function withLocale<T>(make: (locale: string) => T): T {
  try {
    return make(locale);
  } catch {
    return make(WORDS);
  }
}

export const numberFormat = (options: Intl.NumberFormatOptions) =>
  withLocale((tag) => new Intl.NumberFormat(tag, options));

export const dateFormat = (options: Intl.DateTimeFormatOptions) =>
  withLocale((tag) => new Intl.DateTimeFormat(tag, options));

export const agoFormat = (options: Intl.RelativeTimeFormatOptions) =>
  withLocale((tag) => new Intl.RelativeTimeFormat(tag, options));

/** Plural forms belong to the words and not to the region. */
export const pluralRules = (options: Intl.PluralRulesOptions = {}) =>
  new Intl.PluralRules(WORDS, options);
