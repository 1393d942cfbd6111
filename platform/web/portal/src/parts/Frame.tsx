/** The line at the top of every page. */
import {
  ActionIcon,
  AppShell,
  Group,
  Menu,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { IconLogout, IconMoon, IconSun, IconUserCircle } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { NavLink, useNavigate } from 'react-router';

import { api } from '../../../shared/api';
import type { Session } from '../../../shared/types';
import { useLiveEvents } from '../live';
import { useNode } from '../node';
import { EngineMenu } from './EngineMenu';
import { LanguageSwitch } from './LanguageSwitch';
import { Logo } from './Logo';

export function Frame({ session, children }: { session: Session; children: ReactNode }) {
  const { t } = useTranslation();
  useLiveEvents();
  const node = useNode();
  const navigate = useNavigate();
  const client = useQueryClient();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const logOut = async () => {
    await api.delete('/session').catch(() => undefined);
    client.clear();
    await navigate('/login');
  };
  return (
    <AppShell header={{ height: 52 }} padding={{ base: 'xs', sm: 'md' }}>
      <AppShell.Header className="en-header">
        <Group h="100%" px={{ base: 'xs', sm: 'md' }} justify="space-between" wrap="nowrap">
          <Group gap="lg" wrap="nowrap">
            <NavLink to="/studies" className="en-brand">
              <Logo size={26} />
              <Text component="span" fw={700} visibleFrom="xs">
                Ennead
              </Text>
            </NavLink>
            <Group component="nav" gap={4} wrap="nowrap" aria-label={t('portal.nav.label')}>
              <NavLink to="/studies" className="en-nav">
                {t('portal.nav.studies')}
              </NavLink>
              <NavLink to="/packages" className="en-nav en-roomy">
                {t('portal.nav.packages')}
              </NavLink>
              <EngineMenu permissions={session.permissions} />
            </Group>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <LanguageSwitch />
            <ActionIcon
              variant="subtle"
              color="gray"
              visibleFrom="xs"
              aria-label={t(scheme === 'dark' ? 'portal.scheme.light' : 'portal.scheme.dark')}
              onClick={() => setColorScheme(scheme === 'dark' ? 'light' : 'dark')}
            >
              {scheme === 'dark' ? <IconSun size={18} /> : <IconMoon size={18} />}
            </ActionIcon>
            <Menu position="bottom-end">
              <Menu.Target>
                <ActionIcon variant="subtle" color="gray" aria-label={session.display_name}>
                  <IconUserCircle size={22} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Label>
                  {session.display_name} · {session.roles.join(', ')}
                </Menu.Label>
                <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void logOut()}>
                  {t('portal.log_out')}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Main>
        {node?.dicom.accept_any_ae && (
          <Text size="xs" className="en-open-note">
            {t('portal.accept_any_ae')}
          </Text>
        )}
        {children}
      </AppShell.Main>
    </AppShell>
  );
}
