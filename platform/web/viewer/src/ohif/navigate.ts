/** To another study within the running viewer: its router follows the address. */

export function openStudy(studyUID: string): void {
  const parameters = new URLSearchParams(window.location.search);
  parameters.set('StudyInstanceUIDs', studyUID);
  window.history.pushState({}, '', `/viewer?${parameters.toString()}`);
  window.dispatchEvent(new PopStateEvent('popstate', { state: {} }));
}
