/** Why a finding is wrong: one of the coded reasons, and a comment. */
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { REJECT_REASONS } from '../types';
import type { RejectReason } from '../types';
import type { Decision } from './useFindings';

interface Properties {
  busy: boolean;
  onDecide: (decision: Decision) => void;
  onCancel: () => void;
}

export function RejectForm({ busy, onDecide, onCancel }: Properties) {
  const { t } = useTranslation();
  const [reason, setReason] = useState<RejectReason>('false-positive');
  const [comment, setComment] = useState('');
  const needsComment = reason === 'other' && comment.trim() === '';
  return (
    <form
      className="ef-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!needsComment) onDecide({ kind: 'reject', reason, comment: comment.trim() });
      }}
    >
      <fieldset>
        <legend>{t('viewer.reject.why')}</legend>
        {REJECT_REASONS.map((code, index) => (
          <label key={code} className="ef-choice">
            <input
              type="radio"
              name="reason"
              autoFocus={index === 0}
              checked={reason === code}
              onChange={() => setReason(code)}
            />
            <span>{t(`viewer.reject.reason.${code}`)}</span>
          </label>
        ))}
      </fieldset>
      <label>
        <span>{t('viewer.reject.comment')}</span>
        <textarea
          rows={2}
          maxLength={500}
          value={comment}
          onChange={(event) => setComment(event.target.value)}
        />
      </label>
      {needsComment && <p className="ef-note">{t('viewer.reject.comment_needed')}</p>}
      <div className="ef-actions">
        <button type="submit" className="ef-danger" disabled={busy || needsComment}>
          {t('viewer.reject.send')}
        </button>
        <button type="button" onClick={onCancel}>
          {t('viewer.cancel')}
        </button>
      </div>
    </form>
  );
}
