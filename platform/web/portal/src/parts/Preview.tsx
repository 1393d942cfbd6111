/** A finding as a picture; nothing where its images are gone. */
import { useState } from 'react';

export function Preview({ finding, title }: { finding: string; title: string }) {
  const [gone, setGone] = useState(false);
  if (gone) return null;
  return (
    <img
      className="en-preview"
      src={`/api/v1/findings/${finding}/preview.png?width=320`}
      alt={title}
      loading="lazy"
      onError={() => setGone(true)}
    />
  );
}
