/** The findings of the open study: read, jump, overlay, decide. */
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';

import { api, goToLogin, isLoggedOut } from '../../shared/api';
import { FindingCard, Refusals, useFindings, useReview } from '../../shared/findings';
import '../../shared/findings/findings.css';
import type { FindingItem, Session } from '../../shared/types';
import { NextStudy } from './NextStudy';
import { FunctionsSection } from './functions/FunctionsSection';
import { useFresh } from './functions/useFresh';
import { jumpTo } from './ohif/jump';
import type { Managers } from './ohif/types';
import { useOverlay } from './useOverlay';
import { useReviewKeys } from './useReviewKeys';
import { useStudyUID } from './useStudyUID';

const NONE: FindingItem[] = [];

export function FindingsPanel({ managers }: { managers: Managers }) {
  const { t } = useTranslation();
  const studyUID = useStudyUID();
  const answer = useFindings(studyUID);
  const session = useQuery({
    queryKey: ['session'],
    queryFn: () => api.get<Session>('/session'),
    staleTime: Infinity,
  });
  const mayDecide = session.data?.permissions.includes('finding:review') ?? false;
  const listed = answer.data?.findings ?? NONE;
  const fresh = useFresh(studyUID, listed);
  const { findings } = fresh;
  const review = useReview(studyUID, findings);
  const overlay = useOverlay(managers, listed);

  useEffect(() => {
    if (isLoggedOut(answer.error)) goToLogin();
  }, [answer.error]);

  const show = (finding: FindingItem | null) => {
    if (finding?.key_image) {
      void jumpTo(managers, finding.key_image.series_uid, finding.key_image.instance_uid);
    }
  };
  const { active } = review;
  const first = findings.find((f) => f.urgent && f.state === 'proposed') ?? findings[0];
  useEffect(() => {
    if (!overlay.ready || !first || active) return;
    review.select(first);
    show(first);
    // Once per study, when its overlay is there.
  }, [overlay.ready, first?.id]);
  const isDecidable = (finding: FindingItem) => mayDecide && !fresh.isFresh(finding);
  const decidable = active && isDecidable(active) && !review.busy ? active : null;
  useReviewKeys(
    findings.length === 0
      ? {}
      : {
          n: () => show(review.step(1)),
          p: () => show(review.step(-1)),
          ...(active && { o: () => void overlay.toggle(active) }),
          ...(decidable && {
            a: () => review.send(decidable, { kind: 'accept' }),
            e: () => review.setMode(decidable, 'edit'),
            r: () => review.setMode(decidable, 'reject'),
            Escape: () => review.setMode(decidable, 'read'),
          }),
        },
  );

  return (
    <div className="ef ennead-findings" data-dark="true" data-overlay={overlay.ready}>
      <FunctionsSection
        managers={managers}
        studyUID={studyUID}
        findings={listed}
        mayCall={mayDecide}
        onAnswer={(said) => {
          const [found] = said.findings;
          if (!found) return;
          fresh.add(said);
          review.select(found);
          show(found);
        }}
      />
      {fresh.failures.map((reason) => (
        <p key={reason} className="ef-error" role="alert">
          {t('functions.viewer.not_saved', { reason })}
        </p>
      ))}
      {answer.isPending && <p className="ef-note">{t('viewer.loading')}</p>}
      {answer.isError && !isLoggedOut(answer.error) && (
        <p className="ef-error" role="alert">
          {t('viewer.failed', { detail: answer.error.message })}{' '}
          <button type="button" className="ef-link" onClick={() => void answer.refetch()}>
            {t('viewer.again')}
          </button>
        </p>
      )}
      {answer.data && findings.length === 0 && (
        <p className="ef-note">
          {t(answer.data.refusals.length > 0 ? 'viewer.only_refusals' : 'viewer.no_findings')}
        </p>
      )}
      {findings.map((finding) => (
        <FindingCard
          key={finding.id}
          keys={active?.id === finding.id}
          finding={finding}
          active={active?.id === finding.id}
          mode={active?.id === finding.id ? review.mode : 'read'}
          busy={review.busy}
          error={review.errorOf(finding)}
          mayDecide={isDecidable(finding)}
          note={fresh.isFresh(finding) ? t('functions.viewer.saving') : ''}
          overlayShown={overlay.isShown(finding)}
          onSelect={() => {
            review.select(finding);
            show(finding);
          }}
          onMode={(mode) => review.setMode(finding, mode)}
          onDecide={(decision) => review.send(finding, decision)}
          onToggleOverlay={
            finding.segments.length > 0 ? () => void overlay.toggle(finding) : undefined
          }
        />
      ))}
      <Refusals refusals={answer.data?.refusals ?? []} />
      {Object.entries(answer.data?.intended_use ?? {}).map(([id, use]) => (
        <p key={id} className="ef-note">
          <strong>{t(`viewer.status.${use.status}`)}.</strong> {use.text}
        </p>
      ))}
      <NextStudy studyUID={studyUID} />
      {findings.length > 0 && (
        <p className="ef-note ennead-keys">
          <kbd>N</kbd> {t('viewer.key.next')} <kbd>P</kbd> {t('viewer.key.previous')} <kbd>A</kbd>{' '}
          {t('viewer.action.accept')} <kbd>E</kbd> {t('viewer.action.edit')} <kbd>R</kbd>{' '}
          {t('viewer.action.reject')} <kbd>O</kbd> {t('viewer.key.overlay')}
        </p>
      )}
    </div>
  );
}
