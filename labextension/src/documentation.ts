/** The address of the documentation with a slash at its end; empty if it is not known. */
export let documentationUrl = '';

/** Set the address; anything but a web address is ignored. */
export function setDocumentationUrl(url: unknown): void {
  const isWeb = typeof url === 'string' && /^https?:/.test(url);
  documentationUrl = isWeb ? url.replace(/\/?$/, '/') : '';
}
