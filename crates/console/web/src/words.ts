// Texts in the person's language, as the browser names it: Chinese, else English.
const chinese = /^zh\b/i.test(navigator.language);

export const LANGUAGE = chinese ? "zh-Hans" : "en";

/** One of a text in English and in Chinese. */
export const say = (en: string, zh: string): string => (chinese ? zh : en);

const moment = new Intl.DateTimeFormat(chinese ? "zh-CN" : "en-GB", { dateStyle: "medium", timeStyle: "short" });

/** A date and time in the browser's zone. */
export const dated = (iso: string): string => moment.format(new Date(iso));
