/** The next study to review, opened without loading the viewer again. */
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

import { api } from '../../shared/api';
import { personName } from '../../shared/format';
import type { StudyItem } from '../../shared/types';
import { openStudy } from './ohif/navigate';

export function NextStudy({ studyUID }: { studyUID: string }) {
  const { t } = useTranslation();
  const answer = useQuery({
    queryKey: ['studies', 'ready'],
    queryFn: () => api.get<{ studies: StudyItem[] }>('/studies?ai=ready&limit=20'),
  });
  const studies = answer.data?.studies ?? [];
  const here = studies.findIndex((study) => study.study_uid === studyUID);
  const next = studies[here + 1] ?? studies.find((study) => study.study_uid !== studyUID);
  if (!next || next.study_uid === studyUID) return null;
  return (
    <button type="button" className="ennead-next" onClick={() => openStudy(next.study_uid)}>
      <small>{t('viewer.next_study')}</small>
      {personName(next.patient_name) || next.patient_id} <span aria-hidden="true">›</span>
    </button>
  );
}
