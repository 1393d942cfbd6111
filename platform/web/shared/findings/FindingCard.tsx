/** One finding: what was seen, its numbers, and the reader's decision. */
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { instant } from '../format';
import type { FindingItem } from '../types';
import { EditForm } from './EditForm';
import { MeasurementRow } from './MeasurementRow';
import { RejectForm } from './RejectForm';
import { StateBadge } from './StateBadge';
import type { Decision } from './useFindings';

export type CardMode = 'read' | 'edit' | 'reject' | 'again';

interface Properties {
  finding: FindingItem;
  active: boolean;
  mode: CardMode;
  busy: boolean;
  error: string;
  mayDecide: boolean;
  note?: string;
  overlayShown?: boolean | undefined;
  keys?: boolean;
  onSelect: () => void;
  onMode: (mode: CardMode) => void;
  onDecide: (decision: Decision) => void;
  onToggleOverlay?: (() => void) | undefined;
}

export function FindingCard(p: Properties) {
  const { t } = useTranslation();
  const { finding, mode } = p;
  const card = useRef<HTMLElement>(null);
  useEffect(() => {
    if (p.active) card.current?.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  }, [p.active, mode]);
  const colour = finding.segments[0]?.colour;
  const open = mode === 'again' || (mode === 'read' && finding.state === 'proposed');
  const label = (key: string, letter: string) => (
    <>
      {t(key)} {p.keys && <kbd>{letter}</kbd>}
    </>
  );
  return (
    <article
      ref={card}
      className="ef-card"
      data-active={p.active}
      data-state={finding.state}
      data-finding={finding.id}
      aria-label={finding.title}
    >
      <header>
        <button type="button" className="ef-title" onClick={p.onSelect} title={t('viewer.jump')}>
          <span
            className="ef-dot"
            style={colour && { background: `rgb(${colour.join(' ')})` }}
            aria-hidden="true"
          />
          <span>{finding.title}</span>
          {finding.urgent && <span className="ef-urgent">{t('viewer.urgent')}</span>}
        </button>
        {p.onToggleOverlay && (
          <button
            type="button"
            className="ef-icon"
            aria-pressed={p.overlayShown ?? false}
            aria-label={t('viewer.overlay.toggle')}
            title={`${t('viewer.overlay.toggle')} (O)`}
            onClick={p.onToggleOverlay}
          >
            {p.overlayShown ? '◉' : '◎'}
          </button>
        )}
      </header>
      <StateBadge finding={finding} />
      {finding.lane !== undefined && finding.lane !== 'active' && <Held finding={finding} />}
      {finding.qualifiers.length > 0 && (
        <ul className="ef-qualifiers">
          {finding.qualifiers.map((q) => (
            <li key={q.code}>{q.text}</li>
          ))}
        </ul>
      )}
      {finding.measurements.map((m) => (
        <MeasurementRow key={m.id} measurement={m} />
      ))}
      {finding.decision && (
        <p className="ef-note">
          {t(`viewer.decision.${finding.decision.state}`, {
            by: finding.decision.by,
            at: instant(finding.decision.at),
          })}
          {finding.decision.state === 'rejected' &&
            ` ${t(`viewer.reject.reason.${finding.decision.reason}`)}.`}
          {finding.decision.comment && ` “${finding.decision.comment}”`}
        </p>
      )}
      {p.note && (
        <p className="ef-note" role="status">
          {p.note}
        </p>
      )}
      {p.error && (
        <p className="ef-error" role="alert">
          {p.error}
        </p>
      )}
      {p.mayDecide && mode === 'edit' && (
        <EditForm
          finding={finding}
          busy={p.busy}
          onDecide={p.onDecide}
          onCancel={() => p.onMode('read')}
        />
      )}
      {p.mayDecide && mode === 'reject' && (
        <RejectForm busy={p.busy} onDecide={p.onDecide} onCancel={() => p.onMode('read')} />
      )}
      {p.mayDecide && open && (
        <div className="ef-actions">
          <button
            type="button"
            className="ef-primary"
            disabled={p.busy}
            onClick={() => p.onDecide({ kind: 'accept' })}
          >
            {label('viewer.action.accept', 'A')}
          </button>
          {finding.measurements.length > 0 && (
            <button type="button" disabled={p.busy} onClick={() => p.onMode('edit')}>
              {label('viewer.action.edit', 'E')}
            </button>
          )}
          <button type="button" disabled={p.busy} onClick={() => p.onMode('reject')}>
            {label('viewer.action.reject', 'R')}
          </button>
        </div>
      )}
      {p.mayDecide && mode === 'read' && finding.state !== 'proposed' && (
        <button type="button" className="ef-link" onClick={() => p.onMode('again')}>
          {t('viewer.decide_again')}
        </button>
      )}
    </article>
  );
}

/** A result that is kept out of the archive: the viewer has no overlay of it, so show a picture. */
function Held({ finding }: { finding: FindingItem }) {
  const { t } = useTranslation();
  const [gone, setGone] = useState(false);
  return (
    <>
      <p className="ef-note">{t(`engine.held.${finding.lane ?? 'shadow'}`)}</p>
      {!gone && (
        <img
          className="ef-preview"
          src={`/api/v1/findings/${finding.id}/preview.png?width=320`}
          alt={finding.title}
          loading="lazy"
          onError={() => setGone(true)}
        />
      )}
    </>
  );
}
