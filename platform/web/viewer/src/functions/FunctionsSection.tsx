/** What the reader can measure on the series in view: a list, and the function in use. */
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { isLoggedOut } from '../../../shared/api';
import { decimal } from '../../../shared/format';
import type { CallAnswer, FindingItem, FunctionItem } from '../../../shared/types';
import type { Managers } from '../ohif/types';
import { useReviewKeys } from '../useReviewKeys';
import { FunctionForm } from './FunctionForm';
import { reasonsOf, useFunctions } from './useFunctions';

interface Properties {
  managers: Managers;
  studyUID: string;
  findings: FindingItem[];
  mayCall: boolean;
  onAnswer: (answer: CallAnswer) => void;
}

export function FunctionsSection(p: Properties) {
  const { t, i18n } = useTranslation();
  const found = useFunctions(p.managers, p.studyUID, p.mayCall);
  const [open, setOpen] = useState(false);
  const [chosen, setChosen] = useState<{ item: FunctionItem; seriesUID: string } | null>(null);
  const [took, setTook] = useState<number | null>(null);
  useEffect(() => {
    setChosen(null);
    setTook(null);
  }, [p.studyUID]);

  const start = (item: FunctionItem) => {
    setTook(null);
    setChosen({ item, seriesUID: found.seriesUID });
  };
  const numbered = found.fitting.slice(0, 9).map((item, n) => [String(n + 1), item] as const);
  useReviewKeys(
    {
      f: () => {
        setOpen(!open);
        setChosen(null);
      },
      ...(open &&
        !chosen && {
          Escape: () => setOpen(false),
          ...(p.mayCall &&
            Object.fromEntries(numbered.map(([key, item]) => [key, () => start(item)]))),
        }),
    },
    1,
  );

  return (
    <section className="en-functions" aria-label={t('functions.viewer.title')} data-open={open}>
      <h3>
        <button
          type="button"
          aria-expanded={open}
          title={t('functions.viewer.open')}
          onClick={() => {
            setOpen(!open);
            setChosen(null);
          }}
        >
          {t('functions.viewer.title')} <kbd>F</kbd>
        </button>
        {took !== null && (
          <span className="ef-note" role="status">
            {t('functions.viewer.answered', {
              seconds: decimal((took / 1000).toFixed(2), i18n.language),
            })}
          </span>
        )}
      </h3>
      {open && chosen && (
        <FunctionForm
          key={`${chosen.item.package}/${chosen.item.id}/${chosen.seriesUID}`}
          managers={p.managers}
          studyUID={p.studyUID}
          seriesUID={chosen.seriesUID}
          item={chosen.item}
          findings={p.findings.filter(
            (f) => f.package === chosen.item.package && f.series_uid === chosen.seriesUID,
          )}
          onClose={() => setChosen(null)}
          onAnswer={(answer) => {
            p.onAnswer(answer);
            if (answer.findings.length > 0) {
              setTook(answer.duration_ms);
              setChosen(null);
            }
          }}
        />
      )}
      {open && !chosen && <List {...p} found={found} numbered={numbered} onStart={start} />}
    </section>
  );
}

interface ListProperties extends Properties {
  found: ReturnType<typeof useFunctions>;
  numbered: (readonly [string, FunctionItem])[];
  onStart: (item: FunctionItem) => void;
}

function List({ found, numbered, mayCall, onStart }: ListProperties) {
  const { t } = useTranslation();
  const { answer, seriesUID, fitting, unfit } = found;
  if (answer.isPending) return <p className="ef-note">{t('functions.viewer.loading')}</p>;
  if (answer.isError) {
    return isLoggedOut(answer.error) ? null : (
      <p className="ef-error" role="alert">
        {t('functions.viewer.failed', { detail: answer.error.message })}{' '}
        <button type="button" className="ef-link" onClick={() => void answer.refetch()}>
          {t('functions.viewer.again')}
        </button>
      </p>
    );
  }
  const keyOf = (item: FunctionItem) => numbered.find(([, each]) => each === item)?.[0];
  return (
    <>
      {fitting.length + unfit.length === 0 && (
        <p className="ef-note">{t('functions.viewer.none')}</p>
      )}
      {!mayCall && fitting.length > 0 && (
        <p className="ef-note">{t('functions.viewer.read_only')}</p>
      )}
      <ul className="en-list">
        {fitting.map((item) => (
          <li key={`${item.package}/${item.id}`}>
            <button type="button" disabled={!mayCall} onClick={() => onStart(item)}>
              <strong>
                {item.title} {keyOf(item) && <kbd>{keyOf(item)}</kbd>}
              </strong>
              <small>
                {item.package_title} · {item.help}
              </small>
            </button>
          </li>
        ))}
      </ul>
      {unfit.length > 0 && (
        <details className="en-unfit" open={fitting.length === 0}>
          <summary>{t(`functions.viewer.${fitting.length === 0 ? 'no_series' : 'unfit'}`)}</summary>
          <ul>
            {unfit.map((item) => (
              <li key={`${item.package}/${item.id}`}>
                {item.title}
                {(reasonsOf(item, seriesUID) ?? [t('functions.viewer.not_measured')]).map((why) => (
                  <small key={why}>{why}</small>
                ))}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
