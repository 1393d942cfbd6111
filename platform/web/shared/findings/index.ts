export { FindingCard } from './FindingCard';
export { Refusals } from './Refusals';
export { useFindings } from './useFindings';
export { useReview } from './useReview';
