/** The states of a model as the server allows them (ennead_models.lifecycle). */
import type { ModelState } from '../../../shared/facts';

export const ROAD: ModelState[] = ['registered', 'validated', 'shadow', 'pilot', 'active'];

export const NEXT: Record<ModelState, ModelState[]> = {
  registered: ['shadow', 'validated', 'retired'],
  validated: ['shadow', 'retired'],
  shadow: ['pilot', 'active', 'retired'],
  pilot: ['active', 'shadow', 'retired'],
  active: ['shadow', 'retired'],
  retired: ['shadow'],
};

/** Some steps need a validation report, or a reason in words. */
export function needsReason(to: ModelState, hasReport: boolean): boolean {
  return !hasReport && (to === 'validated' || to === 'pilot' || to === 'active');
}
