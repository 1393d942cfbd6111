export { FindingCard } from './FindingCard';
export { groupRefusals } from './groupRefusals';
export { Refusals } from './Refusals';
export { useFindings } from './useFindings';
export { useReview } from './useReview';
