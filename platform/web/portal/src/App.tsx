/** Pages, and who may see them. */
import { Center, Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Suspense, lazy } from 'react';
import { Navigate, Route, Routes, useLocation } from 'react-router';

import { api, isLoggedOut } from '../../shared/api';
import type { Session } from '../../shared/types';
import { LoginPage } from './pages/LoginPage';
import { WorklistPage } from './pages/WorklistPage';
import { Failure } from './parts/Failure';
import { Frame } from './parts/Frame';

const StudyPage = lazy(() => import('./pages/StudyPage'));
const ImagesPage = lazy(() => import('./pages/ImagesPage'));
const PackagesPage = lazy(() => import('./pages/PackagesPage'));
const FactsPage = lazy(() => import('./pages/FactsPage'));
const DifferencePage = lazy(() => import('./pages/DifferencePage'));
const AddModelPage = lazy(() => import('./pages/AddModelPage'));
const DevicesPage = lazy(() => import('./pages/DevicesPage'));
const ModelsPage = lazy(() => import('./pages/ModelsPage'));
const QueuePage = lazy(() => import('./pages/QueuePage'));
const RulesPage = lazy(() => import('./pages/RulesPage'));

export function App() {
  return (
    <Routes>
      <Route path="/login" element={<LoginPage />} />
      <Route path="*" element={<Inside />} />
    </Routes>
  );
}

function Inside() {
  const location = useLocation();
  const session = useQuery({
    queryKey: ['session'],
    queryFn: () => api.get<Session>('/session'),
    staleTime: 60_000,
  });
  if (session.isPending) return <Waiting />;
  if (session.isError) {
    if (isLoggedOut(session.error)) {
      const here = encodeURIComponent(location.pathname + location.search);
      return <Navigate to={`/login?next=${here}`} replace />;
    }
    return <Failure error={session.error} onRetry={() => void session.refetch()} />;
  }
  return (
    <Frame session={session.data}>
      <Suspense fallback={<Waiting />}>
        <Routes>
          <Route path="/studies" element={<WorklistPage />} />
          <Route path="/studies/:studyUID" element={<StudyPage />} />
          <Route path="/studies/:studyUID/images" element={<ImagesPage session={session.data} />} />
          <Route path="/packages" element={<PackagesPage session={session.data} />} />
          <Route
            path="/packages/:name"
            element={<FactsPage kind="packages" session={session.data} />}
          />
          <Route path="/models" element={<ModelsPage session={session.data} />} />
          <Route path="/models/new" element={<AddModelPage />} />
          <Route path="/devices" element={<DevicesPage />} />
          <Route
            path="/models/:name"
            element={<FactsPage kind="models" session={session.data} />}
          />
          <Route path="/models/:name/difference" element={<DifferencePage />} />
          <Route path="/queue" element={<QueuePage session={session.data} />} />
          <Route path="/rules" element={<RulesPage session={session.data} />} />
          <Route path="*" element={<Navigate to="/studies" replace />} />
        </Routes>
      </Suspense>
    </Frame>
  );
}

function Waiting() {
  return (
    <Center h="60dvh">
      <Loader />
    </Center>
  );
}
