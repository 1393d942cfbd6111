import {
  Alert,
  Button,
  Center,
  Group,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate, useSearchParams } from 'react-router';

import { api } from '../../../shared/api';
import type { Session } from '../../../shared/types';
import { LanguageSwitch } from '../parts/LanguageSwitch';
import { Logo } from '../parts/Logo';

/** Only an address of this site may be gone to after the login. */
function safeNext(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) ? next : '/studies';
}

export function LoginPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [parameters] = useSearchParams();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const login = useMutation({
    mutationFn: () => api.post<Session>('/session', { username, password }),
    onSuccess: (session) => {
      client.setQueryData(['session'], session);
      const next = safeNext(parameters.get('next'));
      if (next.startsWith('/viewer')) window.location.assign(next);
      else void navigate(next, { replace: true });
    },
  });
  return (
    <Center mih="100dvh" p="md" className="en-login">
      <Paper withBorder shadow="sm" p="xl" w={400} maw="100%" component="main">
        <Group justify="space-between" mb="lg">
          <Group gap="sm">
            <Logo size={36} />
            <Title order={1} size="h3">
              Ennead
            </Title>
          </Group>
          <LanguageSwitch />
        </Group>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            login.mutate();
          }}
        >
          <Stack>
            <TextInput
              label={t('portal.login.username')}
              name="username"
              autoComplete="username"
              autoFocus
              required
              withAsterisk={false}
              value={username}
              onChange={(event) => setUsername(event.currentTarget.value)}
            />
            <PasswordInput
              label={t('portal.login.password')}
              name="password"
              autoComplete="current-password"
              required
              withAsterisk={false}
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
            {login.isError && (
              <Alert color="red" role="alert">
                {login.error.message}
              </Alert>
            )}
            <Button type="submit" loading={login.isPending}>
              {t('portal.login.send')}
            </Button>
          </Stack>
        </form>
        <Text size="xs" c="dimmed" mt="lg">
          {t('portal.research_only')}
        </Text>
      </Paper>
    </Center>
  );
}
