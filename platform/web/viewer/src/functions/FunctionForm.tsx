/** A function being used: place its inputs, run it, read what it refuses. */
import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { APIError, api, goToLogin, isLoggedOut } from '../../../shared/api';
import type { CallAnswer, FindingItem, FunctionItem } from '../../../shared/types';
import type { Placed } from '../ohif/place';
import { redraw, removePlaced } from '../ohif/place';
import type { Managers } from '../ohif/types';
import { useReviewKeys } from '../useReviewKeys';
import { InputRow } from './InputRow';
import { MaskRow } from './MaskRow';
import { usePlacing } from './usePlacing';
import type { Values } from './values';
import {
  NOTHING,
  annotationsOf,
  countsOf,
  isGiven,
  nextToPlace,
  runsAtOnce,
  shapeOf,
  toJSON,
} from './values';

interface Properties {
  managers: Managers;
  studyUID: string;
  seriesUID: string;
  item: FunctionItem;
  findings: FindingItem[];
  onAnswer: (answer: CallAnswer) => void;
  onClose: () => void;
}

interface Drawing {
  input: string;
  action: 'paint' | 'erase' | null;
}

export function FunctionForm(p: Properties) {
  const { t } = useTranslation();
  const { inputs } = p.item;
  const [values, setValues] = useState<Values>(NOTHING);
  const [drawing, setDrawing] = useState<Drawing | null>(() => first(inputs, NOTHING));
  const [problem, setProblem] = useState('');
  const call = useMutation({
    mutationFn: (given: Values) =>
      api.post<CallAnswer>(`/studies/${p.studyUID}/functions/${p.item.package}/${p.item.id}`, {
        series_uid: p.seriesUID,
        inputs: toJSON(inputs, given),
      }),
    onError: (error) => {
      if (isLoggedOut(error)) goToLogin();
      again();
    },
    onSuccess: (answer) => {
      p.onAnswer(answer);
      if (answer.findings.length === 0) again();
    },
  });
  /** After a refusal the next click tries another place. */
  const again = () => {
    const [only] = inputs;
    if (only && runsAtOnce(inputs)) setDrawing({ input: only.name, action: null });
  };

  // Whatever ends the form takes our drawings off the images.
  const drawn = useRef<string[]>([]);
  drawn.current = annotationsOf(values);
  useEffect(
    () => () => {
      removePlaced(drawn.current);
      redraw(p.managers);
    },
    [p.managers],
  );

  const complete = inputs.every((input) => isGiven(input, values)) && !call.isPending;
  const run = (given: Values) => {
    setDrawing(null);
    call.mutate(given);
  };
  const change = (next: Values) => {
    call.reset();
    setProblem('');
    setValues(next);
    return next;
  };

  const active = drawing && inputs.find((input) => input.name === drawing.input);
  const shape = drawing?.action ? 'contour' : active ? shapeOf(active, values) : null;
  const key = drawing && `${drawing.input}/${drawing.action ?? ''}`;
  usePlacing(p.managers, call.isPending ? null : key, shape, (placed) => {
    if (!active || !drawing) return;
    if (!placed || placed.seriesUID !== p.seriesUID) {
      if (placed) removePlaced([placed.annotationUID]);
      setProblem(t(`functions.viewer.${placed ? 'other_series' : 'not_on_slice'}`));
      return;
    }
    if (drawing.action) {
      const mask = values.masks[active.name];
      if (!mask) return;
      const strokes = [...mask.strokes, { action: drawing.action, placed }];
      change({ ...values, masks: { ...values.masks, [active.name]: { ...mask, strokes } } });
      return;
    }
    const [, most] = countsOf(active);
    const before = values.placed[active.name] ?? [];
    const kept = most === 1 ? [] : before;
    if (most === 1) removePlaced(before.map((each) => each.annotationUID));
    const next = change(withPlaced(values, active.name, [...kept, placed]));
    if (kept.length + 1 >= most) setDrawing(first(inputs, next));
    if (runsAtOnce(inputs)) run(next);
  });

  useReviewKeys({ Escape: p.onClose, ...(complete && { Enter: () => run(values) }) }, 2);

  const undo = (name: string) => {
    const before = values.placed[name] ?? [];
    removePlaced(before.slice(-1).map((each) => each.annotationUID));
    redraw(p.managers);
    change(withPlaced(values, name, before.slice(0, -1)));
  };
  const undoStroke = (name: string) => {
    const mask = values.masks[name];
    if (!mask) return;
    removePlaced(mask.strokes.slice(-1).map((stroke) => stroke.placed.annotationUID));
    redraw(p.managers);
    const strokes = mask.strokes.slice(0, -1);
    change({ ...values, masks: { ...values.masks, [name]: { ...mask, strokes } } });
  };

  return (
    <form
      className="ef-form en-form"
      aria-label={p.item.title}
      aria-busy={call.isPending}
      onSubmit={(event) => {
        event.preventDefault();
        if (complete) run(values);
      }}
    >
      <h4>{p.item.title}</h4>
      <p className="ef-note">{p.item.help}</p>
      {inputs.map((input) =>
        input.kind === 'mask' ? (
          <MaskRow
            key={input.name}
            input={input}
            outputs={p.item.outputs}
            value={values.masks[input.name]}
            findings={p.findings}
            drawing={drawing?.input === input.name ? drawing.action : null}
            onChoose={(mask) => {
              removePlaced(drawn.current);
              const { [input.name]: _, ...others } = values.masks;
              change({ ...values, masks: mask ? { ...others, [input.name]: mask } : others });
              setDrawing(mask && { input: input.name, action: 'paint' });
            }}
            onDraw={(action) => setDrawing(action && { input: input.name, action })}
            onUndo={() => undoStroke(input.name)}
          />
        ) : (
          <InputRow
            key={input.name}
            input={input}
            values={values}
            placing={drawing?.input === input.name}
            onPlace={() => setDrawing({ input: input.name, action: null })}
            onUndo={() => undo(input.name)}
            onType={(text) => change({ ...values, typed: { ...values.typed, [input.name]: text } })}
            onShape={(next) => {
              removePlaced((values.placed[input.name] ?? []).map((each) => each.annotationUID));
              redraw(p.managers);
              change({
                ...withPlaced(values, input.name, []),
                shapes: { ...values.shapes, [input.name]: next },
              });
              setDrawing({ input: input.name, action: null });
            }}
          />
        ),
      )}
      {problem && (
        <p className="ef-error" role="alert">
          {problem}
        </p>
      )}
      {call.isError && !isLoggedOut(call.error) && (
        <p className="ef-error" role="alert">
          {call.error instanceof APIError
            ? call.error.message
            : t('functions.viewer.failed', { detail: call.error.message })}
        </p>
      )}
      {call.data?.refusals.map((refusal) => (
        <p key={`${refusal.code}${refusal.subject}`} className="ef-error" role="alert">
          {refusal.text}
        </p>
      ))}
      {call.isPending && (
        <p className="ef-note" role="status">
          <span className="en-spinner" aria-hidden="true" /> {t('functions.viewer.running')}
        </p>
      )}
      <div className="ef-actions">
        {!runsAtOnce(inputs) && (
          <button type="submit" className="ef-primary" disabled={!complete}>
            {t('functions.viewer.run')} <kbd>Enter</kbd>
          </button>
        )}
        <button type="button" onClick={p.onClose}>
          {t('functions.viewer.cancel')} <kbd>Esc</kbd>
        </button>
      </div>
    </form>
  );
}

function first(inputs: FunctionItem['inputs'], values: Values): Drawing | null {
  const input = nextToPlace(inputs, values);
  return input ? { input: input.name, action: null } : null;
}

function withPlaced(values: Values, name: string, placed: Placed[]): Values {
  return { ...values, placed: { ...values.placed, [name]: placed } };
}
