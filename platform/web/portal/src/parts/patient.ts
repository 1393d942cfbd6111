import type { TFunction } from 'i18next';

import { age } from '../../../shared/format';
import type { StudyItem } from '../../../shared/types';

/** `Nữ, 65 tuổi`: what is known of it. */
export function sexAndAge(study: StudyItem, t: TFunction): string {
  const years = age(study.patient_birth_date, study.study_date);
  const sex = ['M', 'F', 'O'].includes(study.patient_sex) ? study.patient_sex : '';
  return [sex && t(`portal.sex.${sex}`), years !== null && t('portal.years', { years })]
    .filter(Boolean)
    .join(', ');
}
