/** A stack of server-rendered images: drag or wheel to go through it. */
import { Alert, SegmentedControl, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { CT_WINDOWS, fetchInstances, renderedAddress } from './instances';
import type { CTWindow } from './instances';

interface Properties {
  studyUID: string;
  seriesUID: string;
  modality: string;
  jump: { uid: string; times: number } | null;
}

const PIXELS_PER_IMAGE = 6;

export function ImageStack({ studyUID, seriesUID, modality, jump }: Properties) {
  const { t } = useTranslation();
  const [index, setIndex] = useState<number | null>(null);
  const [window, setWindow] = useState<CTWindow | null>(modality === 'CT' ? 'lung' : null);
  const from = useRef<{ y: number; index: number } | null>(null);
  const answer = useQuery({
    queryKey: ['instances', seriesUID],
    queryFn: () => fetchInstances(studyUID, seriesUID),
    staleTime: 60_000,
  });
  const images = answer.data ?? [];
  const at = Math.min(index ?? Math.floor(images.length / 2), images.length - 1);
  const go = (to: number) => setIndex(Math.max(0, Math.min(images.length - 1, to)));

  useEffect(() => {
    const found = jump ? (answer.data ?? []).indexOf(jump.uid) : -1;
    if (found >= 0) setIndex(found);
  }, [jump, answer.data]);
  useEffect(() => {
    for (const next of [at + 1, at - 1, at + 2]) {
      const uid = answer.data?.[next];
      if (uid) new Image().src = renderedAddress(studyUID, seriesUID, uid, window);
    }
  }, [at, answer.data, studyUID, seriesUID, window]);

  if (answer.isPending) return <Skeleton style={{ aspectRatio: 1 }} />;
  if (answer.isError) return <Alert color="red">{answer.error.message}</Alert>;
  const uid = images[at];
  if (!uid) return <Alert>{t('portal.images.none')}</Alert>;
  return (
    <>
      <div
        className="en-stage"
        role="slider"
        tabIndex={0}
        aria-label={t('portal.images.slice')}
        aria-valuemin={1}
        aria-valuemax={images.length}
        aria-valuenow={at + 1}
        onWheel={(event) => go(at + Math.sign(event.deltaY))}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') go(at + 1);
          if (event.key === 'ArrowUp') go(at - 1);
        }}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          from.current = { y: event.clientY, index: at };
        }}
        onPointerMove={(event) => {
          const start = from.current;
          if (start) go(start.index + Math.round((event.clientY - start.y) / PIXELS_PER_IMAGE));
        }}
        onPointerUp={() => {
          from.current = null;
        }}
        onPointerCancel={() => {
          from.current = null;
        }}
      >
        <img
          src={renderedAddress(studyUID, seriesUID, uid, window)}
          alt={t('portal.images.slice')}
          data-instance={uid}
        />
        <span className="en-stage-note" style={{ left: 8, bottom: 8 }}>
          {at + 1}/{images.length}
        </span>
        <span className="en-stage-note" style={{ left: 8, top: 8 }}>
          {t('portal.images.not_diagnostic')}
        </span>
        <span
          className="en-stage-bar"
          style={{
            top: `calc((100% - 24px) * ${images.length > 1 ? at / (images.length - 1) : 0})`,
          }}
        />
      </div>
      {modality === 'CT' && (
        <SegmentedControl
          fullWidth
          size="xs"
          mt="xs"
          aria-label={t('portal.images.window')}
          value={window ?? ''}
          data={Object.keys(CT_WINDOWS).map((value) => ({
            value,
            label: t(`portal.window.${value}`),
          }))}
          onChange={(value) => setWindow(value as CTWindow)}
        />
      )}
    </>
  );
}
